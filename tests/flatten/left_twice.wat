;; A library is instantiated twice.
;; left one of its modules is instantiated twice
(component
  (core module $main (memory (export "memory") 1) )
  (core module $lib (import "env" "memory" (memory 1)) )
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  (core instance (instantiate $lib (with "env" (instance $main)))))
