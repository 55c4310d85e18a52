;; Two instances have a memory.
;; left it has several memories
(component
  (core module $main (memory (export "memory") 1) )
  (core module $lib (import "env" "memory" (memory 1)) )
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  (core module $more (memory 1))
  (core instance (instantiate $more)))
