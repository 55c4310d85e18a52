;; Names: a member exports what it imports, one function has two names, and two libraries export the same name.
;; call first() -> 1
;; call again() -> 1
;; call same-a() -> 100
;; call same-b() -> 200
;; call passed-on() -> 301
;; call byte(8) -> 88
;; call divide(7, 2) -> 3
;; call divide(7, 0) -> trap divide by zero in quotient
;; call divide(8, 2) -> 4
;; gone unreached
;; gone unreached-too
(component
  (core module $main
    (memory (export "memory") 1)
    (table (export "table") 4 funcref)
    (func $first (export "first") (export "again") (result i32) i32.const 1)
    (func $unreached (export "unreached") (result i32) call $unreached-too)
    (func $unreached-too (result i32) i32.const 0))
  (core module $a
    (import "env" "memory" (memory $m 1))
    (import "env" "first" (func $first (result i32)))
    (export "memory" (memory $m))
    (export "first" (func $first))
    (func $same (export "same") (result i32) i32.const 100)
    (func $quotient (export "divide") (param i32 i32) (result i32)
      (i32.div_u (local.get 0) (local.get 1))))
  (core module $b
    (import "a" "memory" (memory 1))
    (import "a" "first" (func $first (result i32)))
    (import "a" "same" (func $their (result i32)))
    (import "main" "again" (func $again (result i32)))
    (func $same (export "same") (result i32) i32.const 200)
    (func $sum (export "sum") (result i32)
      (i32.add (call $first) (i32.add (call $their) (call $same))))
    (data (i32.const 8) "X")
    (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0))))
  (core instance $main (instantiate $main))
  (core instance $a (instantiate $a (with "env" (instance $main))))
  (core instance $b (instantiate $b (with "a" (instance $a)) (with "main" (instance $main))))
  (func (export "first") (result u32) (canon lift (core func $main "first")))
  (func (export "again") (result u32) (canon lift (core func $a "first")))
  (func (export "same-a") (result u32) (canon lift (core func $a "same")))
  (func (export "same-b") (result u32) (canon lift (core func $b "same")))
  (func (export "passed-on") (result u32) (canon lift (core func $b "sum")))
  (func (export "divide") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $a "divide")))
  (func (export "byte") (param "at" u32) (result u32) (canon lift (core func $b "byte"))))
