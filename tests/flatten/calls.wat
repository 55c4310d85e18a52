;; Calls through the table between libraries that number their types differently, references to functions in code and in
;; globals, calls in tail position, blocks with types of their own.
;; call across(5) -> 15
;; call wrong() -> trap indirect call type mismatch in wrong
;; call refer() -> 42
;; call refer-global() -> 43
;; call tail(1000000) -> 0
;; call tail-across(3) -> 13
;; call tail-indirect(4) -> 14
;; call block(6) -> 36
;; gone nobody
(component
  (core module $main
    (type $plus (func (param i32) (result i32)))
    (type $none (func))
    (memory (export "memory") 1)
    (table (export "table") 8 funcref)
    (func $plus_ten (export "plus-ten") (type $plus) (i32.add (local.get 0) (i32.const 10)))
    (func $nothing (type $none))
    (elem (i32.const 1) func $plus_ten $nothing)
    (elem declare func $plus_ten))
  (core module $b
    (type $unused (func (param f32)))
    (type $none (func))
    (type $unused2 (func (param f64) (result f64)))
    (type $two (func (param i32 i32) (result i32)))
    (type $split (func (param i32) (result i32 i32)))
    (type $plus (func (param i32) (result i32)))
    (type $number (func (result i32)))
    (import "main" "memory" (memory 1))
    (import "main" "table" (table $t 8 funcref))
    (import "main" "plus-ten" (func $plus_ten (type $plus)))
    (table $own 2 funcref)
    (func $forty_two (export "forty-two") (result i32) i32.const 42)
    (func $forty_three (result i32) i32.const 43)
    (func $nobody (result i32) i32.const 44)
    (global $function funcref (ref.func $forty_three))
    (elem declare func $plus_ten)
    (func (export "across") (param i32) (result i32)
      (call_indirect $t (type $plus) (local.get 0) (i32.const 1)))
    (func $wrong (export "wrong") (call_indirect $t (type $number) (i32.const 2)) drop)
    (func (export "refer") (result i32)
      (table.set $t (i32.const 5) (ref.func $forty_two))
      (call_indirect $t (type $number) (i32.const 5)))
    (func (export "refer-global") (result i32)
      (table.set $own (i32.const 1) (global.get $function))
      (call_indirect $own (type $number) (i32.const 1)))
    (func $tail (export "tail") (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (return_call $tail (i32.sub (local.get 0) (i32.const 1))))
        (else (local.get 0))))
    (func (export "tail-across") (param i32) (result i32) (return_call $plus_ten (local.get 0)))
    (func (export "tail-indirect") (param i32) (result i32)
      (return_call_indirect $t (type $plus) (local.get 0) (i32.const 1)))
    (func (export "block") (param i32) (result i32)
      local.get 0
      (block (type $split) local.get 0)
      i32.mul))
  (core instance $main (instantiate $main))
  (core instance $b (instantiate $b (with "main" (instance $main))))
  (func (export "across") (param "n" u32) (result u32) (canon lift (core func $b "across")))
  (func (export "wrong") (canon lift (core func $b "wrong")))
  (func (export "refer") (result u32) (canon lift (core func $b "refer")))
  (func (export "refer-global") (result u32) (canon lift (core func $b "refer-global")))
  (func (export "tail") (param "n" u32) (result u32) (canon lift (core func $b "tail")))
  (func (export "tail-across") (param "n" u32) (result u32) (canon lift (core func $b "tail-across")))
  (func (export "tail-indirect") (param "n" u32) (result u32) (canon lift (core func $b "tail-indirect")))
  (func (export "block") (param "n" u32) (result u32) (canon lift (core func $b "block"))))
