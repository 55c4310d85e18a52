;; A library's data does not fit: neither can be instantiated. Nothing that is used outside comes of the members.
;; modules 2
;; call one() -> trap out of bounds memory
(component
  (core module $main (memory (export "memory") 1))
  (core module $lib (import "env" "memory" (memory 1)) (data (i32.const 65534) "abc"))
  (core module $apart (func (export "one") (result i32) i32.const 1))
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  (core instance $apart (instantiate $apart))
  (func (export "one") (result u32) (canon lift (core func $apart "one"))))
