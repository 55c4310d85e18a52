;; A late instance writes to the memory between two members: it stays between them.
;; modules 3
;; call byte(0) -> 97
;; call byte(1) -> 108
;; call byte(2) -> 98
(component
  (import "host-shout" (func $shout (param "text" string) (result string)))
  (core module $main
    (memory (export "memory") 1)
    (data (i32.const 0) "mmm")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 512)
    (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0))))
  (core module $a
    (import "env" "memory" (memory 1))
    (data (i32.const 0) "aaa"))
  (core module $late
    (import "env" "memory" (memory 1))
    (import "host" "shout" (func (param i32 i32 i32)))
    (data (i32.const 1) "ll"))
  (core module $b
    (import "env" "memory" (memory 1))
    (data (i32.const 2) "b"))
  (core instance $main (instantiate $main))
  (core instance $a (instantiate $a (with "env" (instance $main))))
  (core func $lowered
    (canon lower (func $shout) (memory (core memory $main "memory")) (realloc (core func $main "realloc"))))
  (core instance $host (export "shout" (func $lowered)))
  (core instance (instantiate $late (with "env" (instance $main)) (with "host" (instance $host))))
  (core instance (instantiate $b (with "env" (instance $main))))
  (func (export "byte") (param "at" u32) (result u32) (canon lift (core func $main "byte"))))
