;; What is rare: elements that are no functions, vectors in globals, a table that is imported from an instance
;; which is no member, a module with two memories, and memory that is addressed with 64 bits.
;; modules 2
;; call vector() -> 7
;; call second() -> 66
;; call null() -> 1
;; call shim() -> 31
;; call memories() -> 65
(component
  (core module $shim
    (table (export "table") 2 funcref)
    (func (export "call") (result i32) (call_indirect (result i32) (i32.const 1))))
  (core module $main
    (memory (export "memory") i64 1)
    (memory (export "second") 1)
    (table (export "others") 2 funcref)
    (global (export "vector") v128 (v128.const i32x4 7 8 9 10))
    (global (export "base") i64 (i64.const 24))
    (elem (i32.const 0) funcref (ref.null func))
    (data (i64.const 24) "A")
    (func (export "memories") (result i32)
      (memory.copy 1 0 (i32.const 100) (i64.const 24) (i32.const 1))
      (i32.load8_u 1 (i32.const 100))))
  (core module $lib
    (import "env" "memory" (memory i64 1))
    (import "env" "second" (memory $second 1))
    (import "env" "others" (table $others 2 funcref))
    (import "env" "vector" (global $vector v128))
    (import "env" "base" (global $base i64))
    (import "shim" "table" (table $shim 2 funcref))
    (import "shim" "call" (func $call (result i32)))
    (global $copy v128 (global.get $vector))
    (func $thirty (result i32) i32.const 31)
    (elem (table $shim) (i32.const 1) func $thirty)
    (elem (table $others) (i32.const 1) funcref (ref.null func))
    (data (memory $second) (i32.const 24) "B")
    (func (export "vector") (result i32) (i32x4.extract_lane 0 (global.get $copy)))
    (func (export "second") (result i32) (i32.load8_u $second (i32.wrap_i64 (global.get $base))))
    (func (export "null") (result i32) (ref.is_null (table.get $others (i32.const 1))))
    (func (export "shim") (result i32) (call $call)))
  (core instance $shim (instantiate $shim))
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main)) (with "shim" (instance $shim))))
  (func (export "vector") (result u32) (canon lift (core func $lib "vector")))
  (func (export "second") (result u32) (canon lift (core func $lib "second")))
  (func (export "null") (result u32) (canon lift (core func $lib "null")))
  (func (export "shim") (result u32) (canon lift (core func $lib "shim")))
  (func (export "memories") (result u32) (canon lift (core func $main "memories"))))
