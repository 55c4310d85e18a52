;; Globals: a stack pointer that one library moves and another reads, addresses that are constants, values computed of
;; imported globals, one that only a library writes, and those that are used outside.
;; call read() -> 1024
;; call push(24) -> 1000
;; call push(200) -> 800
;; call read() -> 800
;; call sum() -> 4261
;; call counter() -> 0
;; call bump() -> 7
;; call bump() -> 14
;; call counter() -> 14
;; call wide() -> 12884901908
;; call float() -> 3
;; call stored() -> 90
(component
  (core module $main
    (memory (export "memory") 1)
    (table (export "table") 4 funcref)
    (global (export "__stack_pointer") (mut i32) (i32.const 1024))
    (global (export "counter") (mut i32) (i32.const 0))
    (global (export "quiet") (mut i32) (i32.const 5))
    (global (export "base") i32 (i32.const 64))
    (global (export "wide") i64 (i64.const 4294967300))
    (global (export "float") f32 (f32.const 1.5))
    (func (export "counter-value") (result i32) global.get 1))
  (core module $constants
    (global (export "GOT") i32 (i32.const 4096)))
  (core module $a
    (import "env" "__stack_pointer" (global $sp (mut i32)))
    (import "env" "memory" (memory 1))
    (import "env" "base" (global $base i32))
    (import "env" "quiet" (global $quiet (mut i32)))
    (import "env" "counter" (global $counter (mut i32)))
    (import "got" "GOT" (global $got i32))
    (import "env" "wide" (global $wide i64))
    (import "env" "float" (global $float f32))
    (global $computed (export "computed") i32
      (i32.add (i32.mul (global.get $base) (i32.const 2)) (i32.sub (i32.const 40) (i32.const 8))))
    (global $wider i64 (i64.add (global.get $wide) (i64.mul (global.get $wide) (i64.const 2))))
    (global $float2 (mut f32) (global.get $float))
    (data (i32.add (global.get $base) (i32.const 36)) "Z")
    (func (export "push") (param i32) (result i32)
      (global.set $sp (i32.sub (global.get $sp) (local.get 0)))
      (global.get $sp))
    (func (export "sum") (result i32)
      (i32.add (global.get $computed) (i32.add (global.get $quiet) (global.get $got))))
    (func (export "wide") (result i64) (i64.add (global.get $wider) (i64.const 8)))
    (func (export "float") (result i32)
      (global.set $float2 (f32.add (global.get $float2) (global.get $float)))
      (i32.trunc_f32_s (global.get $float2)))
    (func (export "bump") (result i32)
      (global.set $counter (i32.add (global.get $counter) (i32.const 7)))
      (global.get $counter)))
  (core module $b
    (import "env" "__stack_pointer" (global $sp (mut i32)))
    (import "env" "memory" (memory 1))
    (import "a" "computed" (global $computed i32))
    (global $mine i32 (i32.const 60))
    (func (export "read") (result i32) global.get $sp)
    (func (export "stored") (result i32)
      (i32.load8_u (i32.sub (global.get $computed) (global.get $mine)))))
  (core instance $main (instantiate $main))
  (core instance $constants (instantiate $constants))
  (core instance $a (instantiate $a (with "env" (instance $main)) (with "got" (instance $constants))))
  (core instance $b (instantiate $b (with "env" (instance $main)) (with "a" (instance $a))))
  (func (export "read") (result u32) (canon lift (core func $b "read")))
  (func (export "stored") (result u32) (canon lift (core func $b "stored")))
  (func (export "push") (param "by" u32) (result u32) (canon lift (core func $a "push")))
  (func (export "sum") (result u32) (canon lift (core func $a "sum")))
  (func (export "wide") (result u64) (canon lift (core func $a "wide")))
  (func (export "float") (result u32) (canon lift (core func $a "float")))
  (func (export "bump") (result u32) (canon lift (core func $a "bump")))
  (func (export "counter") (result u32) (canon lift (core func $main "counter-value"))))
