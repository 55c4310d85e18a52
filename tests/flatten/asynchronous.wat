;; A function that is called asynchronously: it goes on in a callback that only the lifted export names, and says there
;; what it returns with a function of the component model.
;; call add(2, 3) -> 5
;; call add(4, 5) -> 9
(component
  (core module $main (memory (export "memory") 1) (global (export "sum") (mut i32) (i32.const 0)))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "env" "sum" (global $sum (mut i32)))
    (import "task" "return" (func $return (param i32)))
    (func (export "add") (param i32 i32) (result i32)
      (global.set $sum (i32.add (local.get 0) (local.get 1)))
      (i32.const 1 (; yield ;)))
    (func (export "callback") (param i32 i32 i32) (result i32)
      (call $return (global.get $sum))
      (i32.const 0 (; exit ;))))
  (core func $return (canon task.return (result u32)))
  (core instance $task (export "return" (func $return)))
  (core instance $main (instantiate $main))
  (core instance $lib (instantiate $lib (with "env" (instance $main)) (with "task" (instance $task))))
  (alias core export $lib "callback" (core func $callback))
  (func (export "add") async (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $lib "add") async (callback $callback))))
