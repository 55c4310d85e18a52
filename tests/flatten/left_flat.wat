;; A component of one module.
;; left there is nothing to merge in it
(component
  (core module $main (memory (export "memory") 1) (func (export "one") (result i32) i32.const 1))
  (core instance $main (instantiate $main))
  (func (export "one") (result u32) (canon lift (core func $main "one"))))
