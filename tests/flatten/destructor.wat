;; A resource whose destructor is a function of a member; another instance, which is no member, makes and drops handles.
;; Types and a core type stand beside it, whose numbers must stay.
;; modules 2
;; call round(5) -> 1
;; call dropped() -> 5
;; call round(6) -> 1
;; call dropped() -> 11
(component
  (core module $main
    (memory (export "memory") 1)
    (global (export "dropped") (mut i32) (i32.const 0))
    (func $unused (export "unused")))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "env" "dropped" (global $dropped (mut i32)))
    (func (export "dropped") (result i32) global.get $dropped)
    (func (export "destroy") (param i32)
      (global.set $dropped (i32.add (global.get $dropped) (local.get 0)))))
  (core module $maker
    (import "host" "new" (func $new (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "round") (param i32) (result i32)
      (local.set 0 (call $new (local.get 0)))
      (call $drop (local.get 0))
      (local.get 0)))
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  (core type $kept (func (param i32)))
  (alias core export $lib "destroy" (core func $destroy))
  (type $number u32)
  (type $thing (resource (rep i32) (dtor (core func $destroy))))
  (type $round (func (param "n" $number) (result $number)))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core instance $host (export "new" (func $new)) (export "drop" (func $drop)))
  (core instance $maker (instantiate $maker (with "host" (instance $host))))
  (func (export "round") (type $round) (canon lift (core func $maker "round")))
  (func (export "dropped") (result u32) (canon lift (core func $lib "dropped"))))
