;; A component inside uses a core module of this one.
;; left it uses core modules from elsewhere
(component
  (core module $main (memory (export "memory") 1) )
  (core module $lib (import "env" "memory" (memory 1)) )
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  (component $inside (alias outer 1 0 (core module $theirs)) (core instance (instantiate $theirs)))
  (instance (instantiate $inside)))
