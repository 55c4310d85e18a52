;; An instance that imports a function of the host which needs the memory is made after the members: what it is given of
;; them, and only it uses, is exported; so are globals, one of which is also an address in another member, another a
;; function. The late one writes its global for all.
;; modules 2
;; call stored() -> 81
;; call shared() -> 3
;; call write(9) -> 9
;; call shared() -> 9
;; call base() -> 200
;; call shout() -> 3
;; call through() -> 11
(component
  (import "host-shout" (func $shout (param "text" string) (result string)))
  (core module $main
    (memory (export "memory") 1)
    (table (export "table") 4 funcref)
    (global (export "shared") (mut i32) (i32.const 3))
    (global (export "base") i32 (i32.const 200))
    (func $eleven (result i32) i32.const 11)
    (global (export "function") funcref (ref.func $eleven))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 512)
    (func (export "shared-value") (result i32) global.get 0))
  (core module $a
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 4 funcref))
    (import "env" "base" (global $base i32))
    (import "env" "function" (global $function funcref))
    (global $copy funcref (global.get $function))
    (elem (i32.const 1) funcref (global.get $function))
    (data (global.get $base) "Q")
    (func (export "stored") (result i32) (i32.load8_u (global.get $base)))
    (func (export "through") (result i32)
      (table.set (i32.const 2) (global.get $copy))
      (call_indirect (result i32) (i32.const 2))))
  (core module $late
    (import "env" "memory" (memory 1))
    (import "env" "shared" (global $shared (mut i32)))
    (import "env" "base" (global $base i32))
    (import "env" "function" (global funcref))
    (import "host" "shout" (func $shout (param i32 i32 i32)))
    (data (i32.const 300) "abc")
    (func (export "base") (result i32) global.get $base)
    (func (export "write") (param i32) (result i32)
      (global.set $shared (local.get 0)) (global.get $shared))
    (func (export "shout") (result i32)
      (call $shout (i32.const 300) (i32.const 3) (i32.const 400))
      (i32.load (i32.const 404))))
  (core instance $main (instantiate $main))
  (core instance $a (instantiate $a (with "env" (instance $main))))
  (alias core export $main "memory" (core memory $memory))
  (core func $lowered
    (canon lower (func $shout) (memory $memory) (realloc (core func $main "realloc"))))
  (core instance $host (export "shout" (func $lowered)))
  (core instance $late (instantiate $late (with "env" (instance $main)) (with "host" (instance $host))))
  (func (export "stored") (result u32) (canon lift (core func $a "stored")))
  (func (export "through") (result u32) (canon lift (core func $a "through")))
  (func (export "shared") (result u32) (canon lift (core func $main "shared-value")))
  (func (export "base") (result u32) (canon lift (core func $late "base")))
  (func (export "write") (param "value" u32) (result u32) (canon lift (core func $late "write")))
  (func (export "shout") (result u32) (canon lift (core func $late "shout"))))
