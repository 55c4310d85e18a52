;; Instances that are exported are made by components inside, and members import functions of the component model
;; straight: a slot of the task's context.
;; call api/remember(8) -> 8
;; call remember(5) -> 5
;; call api/add(2, 3) -> 5
(component
  (core module $main
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "host" "set" (func $set (param i32)))
    (import "host" "get" (func $get (result i32)))
    (func (export "remember") (param i32) (result i32)
      (call $set (local.get 0))
      (call $get)))
  (core func $set (canon context.set i32 0))
  (core instance $main (instantiate $main))
  (core func $get (canon context.get i32 0))
  (core instance $host (export "set" (func $set)) (export "get" (func $get)))
  (core instance $lib (instantiate $lib (with "env" (instance $main)) (with "host" (instance $host))))
  (type $add (func (param "a" u32) (param "b" u32) (result u32)))
  (func $add (type $add) (canon lift (core func $main "add")))
  (func $remember (param "n" u32) (result u32) (canon lift (core func $lib "remember")))
  (component $outside
    (core module $mine (func (export "nothing")))
    (core instance (instantiate $mine))
    (import "import-add" (func $add (param "a" u32) (param "b" u32) (result u32)))
    (import "import-remember" (func $remember (param "n" u32) (result u32)))
    (export "add" (func $add))
    (export "remember" (func $remember)))
  (instance $api (instantiate $outside
    (with "import-add" (func $add)) (with "import-remember" (func $remember))))
  (export "api" (instance $api))
  (export "remember" (func $remember)))
