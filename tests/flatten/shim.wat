;; Strings in and out through a shim, whose table a fixup fills with functions of the host that need the memory; what the
;; host asks for with realloc, and what it is done with in post-return.
;; modules 3
;; call greet("tom") -> "TOM!"
;; call greet("é") -> "É!"
;; call freed() -> 2
;; call greet("a") -> "A!"
;; call double(21) -> 42
;; call freed() -> 3
(component
  (import "host-shout" (func $shout (param "text" string) (result string)))
  (import "host-double" (func $double (param "number" u32) (result u32)))
  (core module $shim
    (type (func (param i32 i32 i32)))
    (table (export "$imports") 1 funcref)
    (func $indirect (export "0") (type 0)
      (call_indirect (type 0) (local.get 0) (local.get 1) (local.get 2) (i32.const 0))))
  (core module $fixup
    (import "" "0" (func (param i32 i32 i32)))
    (import "" "$imports" (table 1 funcref))
    (elem (i32.const 0) func 0))
  (core module $main
    (memory (export "memory") 1)
    (table (export "table") 4 funcref)
    (global (export "__stack_pointer") (mut i32) (i32.const 1024))
    (global $heap (export "heap") (mut i32) (i32.const 4096))
    (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (local i32)
      (local.set 4 (global.get $heap))
      (global.set $heap (i32.add (global.get $heap) (local.get 3)))
      (memory.copy (local.get 4) (local.get 0) (local.get 1))
      (local.get 4)))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "env" "cabi_realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "shout" (func $shout (param i32 i32 i32)))
    (import "host" "double" (func $double (param i32) (result i32)))
    (global $freed (mut i32) (i32.const 0))
    (func (export "double") (param i32) (result i32) (call $double (local.get 0)))
    (func (export "freed") (result i32) global.get $freed)
    (func (export "free") (param i32) (global.set $freed (i32.add (global.get $freed) (i32.const 1))))
    (func (export "greet") (param i32 i32) (result i32)
      (local $out i32)
      (call $shout (local.get 0) (local.get 1) (i32.const 16))
      (local.set $out
        (call $realloc
          (i32.load (i32.const 16)) (i32.load (i32.const 20))
          (i32.const 1) (i32.add (i32.load (i32.const 20)) (i32.const 1))))
      (i32.store8 (i32.add (local.get $out) (i32.load (i32.const 20))) (i32.const 33))
      (i32.store (i32.const 24) (local.get $out))
      (i32.store (i32.const 28) (i32.add (i32.load (i32.const 20)) (i32.const 1)))
      (i32.const 24)))
  (core instance $shim (instantiate $shim))
  (core instance $main (instantiate $main))
  (core func $lowered-double (canon lower (func $double)))
  (core instance $host (export "shout" (func $shim "0")) (export "double" (func $lowered-double)))
  (core instance $lib (instantiate $lib (with "env" (instance $main)) (with "host" (instance $host))))
  (alias core export $main "memory" (core memory $memory))
  (alias core export $main "cabi_realloc" (core func $realloc))
  (core func $lowered-shout (canon lower (func $shout) (memory $memory) (realloc $realloc)))
  (core instance $given (export "0" (func $lowered-shout)) (export "$imports" (table $shim "$imports")))
  (core instance (instantiate $fixup (with "" (instance $given))))
  (func (export "greet") (param "name" string) (result string)
    (canon lift (core func $lib "greet") (memory $memory) (realloc $realloc) (post-return (core func $lib "free"))))
  (func (export "double") (param "number" u32) (result u32) (canon lift (core func $lib "double")))
  (func (export "freed") (result u32) (canon lift (core func $lib "freed"))))
