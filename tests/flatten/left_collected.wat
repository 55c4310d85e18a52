;; Types of garbage collection.
;; left it uses types of garbage collection
(component
  (core module $main (memory (export "memory") 1) )
  (core module $lib (import "env" "memory" (memory 1)) (type (struct (field i32))))
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  )
