;; Late instances in a row, as adapters are: one takes functions of a member and its own state, another uses the first, and
;; a library that comes between them, in order, is merged all the same.
;; modules 3
;; call first() -> 12
;; call second() -> 112
;; call lib() -> 5
(component
  (import "host-shout" (func $shout (param "text" string) (result string)))
  (core module $main
    (memory (export "memory") 1)
    (data (i32.const 200) "adapter")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 512)
    (func (export "five") (result i32) i32.const 5))
  (core module $first
    (import "env" "memory" (memory 1))
    (import "env" "five" (func $five (result i32)))
    (import "host" "shout" (func $shout (param i32 i32 i32)))
    (global $state (mut i32) (i32.const 0))
    (func (export "first") (result i32)
      (call $shout (i32.const 200) (i32.const 7) (i32.const 400))
      (global.set $state (i32.load (i32.const 404)))
      (i32.add (global.get $state) (call $five))))
  (core module $lib
    (import "env" "five" (func $five (result i32)))
    (import "env" "memory" (memory 1))
    (data (i32.const 200) "A")
    (func (export "lib") (result i32) (call $five)))
  (core module $second
    (import "first" "first" (func $first (result i32)))
    (func (export "second") (result i32) (i32.add (call $first) (i32.const 100))))
  (core instance $main (instantiate $main))
  (alias core export $main "memory" (core memory $memory))
  (core func $lowered (canon lower (func $shout) (memory $memory) (realloc (core func $main "realloc"))))
  (core instance $host (export "shout" (func $lowered)))
  (core instance $first (instantiate $first (with "env" (instance $main)) (with "host" (instance $host))))
  (core instance $lib (instantiate $lib (with "env" (instance $main))))
  (core instance $second (instantiate $second (with "first" (instance $first))))
  (func (export "first") (result u32) (canon lift (core func $first "first")))
  (func (export "second") (result u32) (canon lift (core func $second "second")))
  (func (export "lib") (result u32) (canon lift (core func $lib "lib"))))
