;; A fixup that gives the shim functions of the host and one of a member, a destructor; after it, as linked components have
;; it, a module that fills the table of the members with their functions. That it comes after the fixup is no reason to
;; leave it out: they fill different tables.
;; modules 3
;; call shout() -> 3
;; call indirect(1) -> 7
;; call indirect(2) -> 8
(component
  (import "host-shout" (func $shout (param "text" string) (result string)))
  (core module $shim
    (type $shout (func (param i32 i32 i32)))
    (table (export "$imports") 2 funcref)
    (func (export "0") (type $shout)
      (call_indirect (type $shout) (local.get 0) (local.get 1) (local.get 2) (i32.const 0)))
    (func (export "1") (param i32) (call_indirect (param i32) (local.get 0) (i32.const 1))))
  (core module $fixup
    (import "" "0" (func (param i32 i32 i32)))
    (import "" "1" (func (param i32)))
    (import "" "$imports" (table 2 funcref))
    (elem (i32.const 0) func 0 1))
  (core module $main
    (memory (export "memory") 1)
    (table (export "table") 4 funcref)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 512)
    (func (export "[dtor]thing") (param i32))
    (func (export "indirect") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "host" "shout" (func $shout (param i32 i32 i32)))
    (data (i32.const 300) "abc")
    (func (export "seven") (result i32) i32.const 7)
    (func (export "eight") (result i32) i32.const 8)
    (func (export "shout") (result i32)
      (call $shout (i32.const 300) (i32.const 3) (i32.const 400))
      (i32.load (i32.const 404))))
  (core module $init
    (import "lib" "seven" (func $seven (result i32)))
    (import "lib" "eight" (func $eight (result i32)))
    (import "env" "table" (table 4 funcref))
    (elem (i32.const 1) func $seven $eight))
  (core instance $shim (instantiate $shim))
  (type $thing (resource (rep i32) (dtor (core func $shim "1"))))
  (core instance $main (instantiate $main))
  (core instance $host (export "shout" (func $shim "0")))
  (core instance $lib (instantiate $lib (with "env" (instance $main)) (with "host" (instance $host))))
  (alias core export $main "memory" (core memory $memory))
  (core func $lowered (canon lower (func $shout) (memory $memory) (realloc (core func $main "realloc"))))
  (core instance $given
    (export "0" (func $lowered)) (export "1" (func $main "[dtor]thing"))
    (export "$imports" (table $shim "$imports")))
  (core instance (instantiate $fixup (with "" (instance $given))))
  (core instance (instantiate $init (with "lib" (instance $lib)) (with "env" (instance $main))))
  (func (export "shout") (result u32) (canon lift (core func $lib "shout")))
  (func (export "indirect") (param "at" u32) (result u32) (canon lift (core func $main "indirect"))))
