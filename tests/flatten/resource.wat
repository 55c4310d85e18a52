;; A resource whose destructor is in the main module, reached through the shim as linked components have it; members
;; import what makes, reads and drops its handles. The fixup needs no memory.
;; modules 2
;; call make(7) -> 1
;; call value(1) -> 7
;; call make(9) -> 2
;; call value(2) -> 9
;; call dropped() -> 0
;; call drop(1) -> 
;; call dropped() -> 7
;; call drop(2) -> 
;; call dropped() -> 16
;; call drop(2) -> trap unknown handle index 2 in drop_it
(component
  (core module $shim
    (table (export "$imports") 1 funcref)
    (func $indirect (export "0") (param i32) (call_indirect (param i32) (local.get 0) (i32.const 0))))
  (core module $fixup
    (import "" "0" (func (param i32)))
    (import "" "$imports" (table 1 funcref))
    (elem (i32.const 0) func 0))
  (core module $main
    (memory (export "memory") 1)
    (global $dropped (mut i32) (i32.const 0))
    (func (export "dropped") (result i32) global.get $dropped)
    (func $destroy (export "[dtor]thing") (param i32)
      (global.set $dropped (i32.add (global.get $dropped) (local.get 0)))))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "host" "[resource-new]thing" (func $new (param i32) (result i32)))
    (import "host" "[resource-rep]thing" (func $rep (param i32) (result i32)))
    (import "host" "[resource-drop]thing" (func $drop (param i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "value") (param i32) (result i32) (call $rep (local.get 0)))
    (func $drop_it (export "drop") (param i32) (call $drop (local.get 0))))
  (core instance $shim (instantiate $shim))
  (type $thing (resource (rep i32) (dtor (core func $shim "0"))))
  (core func $new (canon resource.new $thing))
  (core func $rep (canon resource.rep $thing))
  (core func $drop (canon resource.drop $thing))
  (core instance $main (instantiate $main))
  (core instance $host
    (export "[resource-new]thing" (func $new))
    (export "[resource-rep]thing" (func $rep))
    (export "[resource-drop]thing" (func $drop)))
  (core instance $lib (instantiate $lib (with "env" (instance $main)) (with "host" (instance $host))))
  (core instance $given (export "0" (func $main "[dtor]thing")) (export "$imports" (table $shim "$imports")))
  (core instance (instantiate $fixup (with "" (instance $given))))
  (func (export "make") (param "n" u32) (result u32) (canon lift (core func $lib "make")))
  (func (export "value") (param "n" u32) (result u32) (canon lift (core func $lib "value")))
  (func (export "drop") (param "n" u32) (canon lift (core func $lib "drop")))
  (func (export "dropped") (result u32) (canon lift (core func $main "dropped"))))
