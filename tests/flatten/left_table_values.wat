;; A table that begins with values.
;; left it has a table whose elements begin with a value
(component
  (core module $main (memory (export "memory") 1) (func $f) (elem declare func $f) (table 2 (ref func) (ref.func $f)))
  (core module $lib (import "env" "memory" (memory 1)) )
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  )
