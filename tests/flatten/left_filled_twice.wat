;; A library and an instance that is no member write to the same table of a third, one over the other.
;; left one of its modules fills a table that another fills as well
(component
  (core module $shim
    (table (export "table") 1 funcref)
    (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0))))
  (core module $main (memory (export "memory") 1))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "shim" "table" (table 1 funcref))
    (func $one (result i32) i32.const 1)
    (elem (i32.const 0) func $one))
  (core module $apart
    (import "shim" "table" (table 1 funcref))
    (func $two (result i32) i32.const 2)
    (elem (i32.const 0) func $two))
  (core instance $shim (instantiate $shim))
  (core instance $main (instantiate $main))
  (core instance (instantiate $apart (with "shim" (instance $shim))))
  (core instance (instantiate $lib (with "env" (instance $main)) (with "shim" (instance $shim))))
  (func (export "call") (result u32) (canon lift (core func $shim "call"))))
