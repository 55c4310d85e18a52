;; Exceptions.
;; left it uses exceptions
(component
  (core module $main (memory (export "memory") 1) (tag (export "failed")))
  (core module $lib (import "env" "memory" (memory 1)) )
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  )
