;; Overlapping segments of several members: what is linked later is written over what was there.
;; call byte(16) -> 77
;; call byte(17) -> 108
;; call byte(18) -> 97
;; call byte(19) -> 98
;; call byte(20) -> 98
;; call byte(21) -> 97
;; call byte(22) -> 77
;; call at(1) -> 1
;; call at(2) -> 20
;; call at(3) -> 30
;; call at(4) -> 31
;; call at(5) -> 1
;; call at(6) -> 10
;; call at(0) -> trap uninitialized element in at
;; call at(7) -> trap uninitialized element in at
;; call at(99) -> trap undefined element in at
(component
  (core module $main
    (type $number (func (result i32)))
    (memory (export "memory") 1)
    (table (export "table") 10 funcref)
    (global (export "a:memory_base") i32 (i32.const 17))
    (global (export "a:table_base") i32 (i32.const 2))
    (global (export "b:memory_base") i32 (i32.const 19))
    (global (export "b:table_base") i32 (i32.const 3))
    (func $one (export "one") (result i32) i32.const 1)
    (func $ten (result i32) i32.const 10)
    (elem (i32.const 1) func $one $one $one $one $one)
    (elem (i32.const 6) func $ten)
    (data (i32.const 16) "MMMMMMM")
    (func $at (export "at") (param i32) (result i32)
      (call_indirect (type $number) (local.get 0)))
    (func $byte (export "byte") (param i32) (result i32)
      (i32.load8_u (local.get 0))))
  (core module $a
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 10 funcref))
    (import "env" "__memory_base" (global $m i32))
    (import "env" "__table_base" (global $t i32))
    (func $twenty (result i32) i32.const 20)
    (elem (global.get $t) func $twenty $twenty $twenty)
    (data (global.get $m) "aaa")
    (data (global.get $m) "l")
    (data (i32.const 21) "a"))
  (core module $b
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 10 funcref))
    (import "env" "__memory_base" (global $m i32))
    (import "env" "__table_base" (global $t i32))
    (func $thirty (result i32) i32.const 30)
    (func $more (result i32) i32.const 31)
    (elem (global.get $t) funcref (ref.func $thirty) (ref.func $more))
    (data (global.get $m) "bb"))
  (core instance $main (instantiate $main))
  (core instance $env-a
    (export "memory" (memory $main "memory")) (export "table" (table $main "table"))
    (export "__memory_base" (global $main "a:memory_base"))
    (export "__table_base" (global $main "a:table_base")))
  (core instance $a (instantiate $a (with "env" (instance $env-a))))
  (core instance $env-b
    (export "memory" (memory $main "memory")) (export "table" (table $main "table"))
    (export "__memory_base" (global $main "b:memory_base"))
    (export "__table_base" (global $main "b:table_base")))
  (core instance $b (instantiate $b (with "env" (instance $env-b))))
  (func (export "byte") (param "at" u32) (result u32) (canon lift (core func $main "byte")))
  (func (export "at") (param "at" u32) (result u32) (canon lift (core func $main "at"))))
