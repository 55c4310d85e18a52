;; Constants that a member and an instance that is no member both use: importing from what is merged, it is merged too.
;; modules 2
;; call far() -> 4103
;; call near() -> 4096
(component
  (core module $constants (global (export "address") i32 (i32.const 4096)))
  (core module $main
    (import "got" "address" (global $address i32))
    (memory (export "memory") 1)
    (func (export "near") (result i32) global.get $address))
  (core module $apart
    (import "got" "address" (global $address i32))
    (import "more" "seven" (func $seven (result i32)))
    (func (export "far") (result i32) (i32.add (global.get $address) (call $seven))))
  (core module $more
    (table 1 funcref)
    (func (export "seven") (result i32) i32.const 7))
  (core instance $constants (instantiate $constants))
  (core instance $more (instantiate $more))
  (core instance $main (instantiate $main (with "got" (instance $constants))))
  (core instance $apart (instantiate $apart (with "got" (instance $constants)) (with "more" (instance $more))))
  (func (export "far") (result u32) (canon lift (core func $apart "far")))
  (func (export "near") (result u32) (canon lift (core func $main "near"))))
