;; What a library imports goes through a module without a table of its own, which a function of the host needs the memory
;; for: neither can be made before the other.
;; left what its modules import needs them in turn
(component
  (import "host-shout" (func $shout (param "text" string) (result string)))
  (core module $main
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
  (core module $between
    (import "host" "shout" (func $shout (param i32 i32 i32)))
    (table 1 funcref)
    (export "shout" (func $shout)))
  (core module $one (import "env" "memory" (memory 1)))
  (core module $lib
    (import "env" "memory" (memory 1))
    (import "between" "shout" (func $shout (param i32 i32 i32)))
    (func (export "go") (call $shout (i32.const 0) (i32.const 0) (i32.const 0))))
  (core instance $main (instantiate $main))
  (core instance (instantiate $one (with "env" (instance $main))))
  (core func $lowered
    (canon lower (func $shout) (memory (core memory $main "memory")) (realloc (core func $main "realloc"))))
  (core instance $host (export "shout" (func $lowered)))
  (core instance $between (instantiate $between (with "host" (instance $host))))
  (core instance $lib (instantiate $lib (with "env" (instance $main)) (with "between" (instance $between))))
  (func (export "go") (canon lift (core func $lib "go"))))
