;; A library has a start function.
;; left a module of it has a start function
(component
  (core module $main (memory (export "memory") 1) )
  (core module $lib (import "env" "memory" (memory 1)) (func $begin) (start $begin))
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  )
