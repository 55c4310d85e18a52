;; Passive segments of several members, which are numbered anew: they are used, dropped, and then empty.
;; call init-a() -> 65
;; call init-b() -> 66
;; call drop-a() -> 0
;; call init-b() -> 66
;; call init-a() -> trap out of bounds memory in init_a
;; call init-a() -> 65
;; call table-b(1) -> 12
;; call table-b(0) -> 11
;; call table-a(0) -> 1
;; call elem-drop-b() -> 0
;; call table-a(0) -> 1
;; call table-b(0) -> trap out of bounds table in table_b
;; call fill() -> 9
;; call copy() -> 66
;; call grow() -> 1
(component
  (core module $main
    (type $number (func (result i32)))
    (memory (export "memory") 1)
    (table (export "table") 8 funcref)
    (func $one (result i32) i32.const 1)
    (elem $passive func $one $one)
    (data $a "AAA")
    (data (i32.const 100) "active")
    (func $init_a (export "init-a") (result i32)
      (memory.init $a (i32.const 0) (i32.const 0) (i32.const 3))
      (i32.load8_u (i32.const 0)))
    (func (export "drop-a") (result i32) (data.drop $a) i32.const 0)
    (func (export "table-a") (param i32) (result i32)
      (table.init $passive (i32.const 0) (i32.const 0) (i32.const 2))
      (call_indirect (type $number) (local.get 0))))
  (core module $b
    (type $other (func (param i64)))
    (type $number (func (result i32)))
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 8 funcref))
    (func $eleven (result i32) i32.const 11)
    (func $twelve (result i32) i32.const 12)
    (elem (i32.const 5) func $twelve)
    (elem $passive funcref (ref.func $eleven) (ref.func $twelve))
    (data (i32.const 101) "B")
    (data $b "BBB")
    (func (export "init-b") (result i32)
      (memory.init $b (i32.const 10) (i32.const 0) (i32.const 3))
      (i32.load8_u (i32.const 11)))
    (func $table_b (export "table-b") (param i32) (result i32)
      (table.init $passive (i32.const 2) (i32.const 0) (i32.const 2))
      (call_indirect (type $number) (i32.add (i32.const 2) (local.get 0))))
    (func (export "elem-drop-b") (result i32) (elem.drop $passive) i32.const 0)
    (func (export "fill") (result i32)
      (memory.fill (i32.const 50) (i32.const 9) (i32.const 4))
      (i32.load8_u (i32.const 53)))
    (func (export "copy") (result i32)
      (memory.copy (i32.const 60) (i32.const 100) (i32.const 4))
      (i32.load8_u (i32.const 61)))
    (func (export "grow") (result i32)
      (drop (table.grow (ref.null func) (i32.const 3)))
      (i32.and (i32.eq (memory.grow (i32.const 1)) (i32.const 1)) (i32.eq (table.size) (i32.const 11)))))
  (core instance $main (instantiate $main))
  (core instance $b (instantiate $b (with "env" (instance $main))))
  (func (export "init-a") (result u32) (canon lift (core func $main "init-a")))
  (func (export "init-b") (result u32) (canon lift (core func $b "init-b")))
  (func (export "drop-a") (result u32) (canon lift (core func $main "drop-a")))
  (func (export "table-a") (param "at" u32) (result u32) (canon lift (core func $main "table-a")))
  (func (export "table-b") (param "at" u32) (result u32) (canon lift (core func $b "table-b")))
  (func (export "elem-drop-b") (result u32) (canon lift (core func $b "elem-drop-b")))
  (func (export "fill") (result u32) (canon lift (core func $b "fill")))
  (func (export "copy") (result u32) (canon lift (core func $b "copy")))
  (func (export "grow") (result u32) (canon lift (core func $b "grow"))))
