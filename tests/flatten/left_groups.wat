;; Types that are told apart by their group, which calls through a table see.
;; left it uses types of functions that are more than their signatures
(component
  (core module $main (memory (export "memory") 1) )
  (core module $lib (import "env" "memory" (memory 1)) (rec (type (func)) (type (func))))
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  )
