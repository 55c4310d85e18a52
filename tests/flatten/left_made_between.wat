;; A component inside is instantiated between the modules, and might call what is there before the rest is.
;; left it makes instances of components between those of its modules
(component
  (core module $main (memory (export "memory") 1) (func (export "run")))
  (core module $lib (import "env" "memory" (memory 1)) (data (i32.const 0) "x"))
  (core instance $main (instantiate $main))
  (func $run (canon lift (core func $main "run")))
  (component $inside
    (import "run" (func $run))
    (core func $run (canon lower (func $run)))
    (core instance $given (export "run" (func $run)))
    (core module $calls (import "" "run" (func $run)) (start $run))
    (core instance (instantiate $calls (with "" (instance $given)))))
  (instance (instantiate $inside (with "run" (func $run))))
  (core instance (instantiate $lib (with "env" (instance $main)))))
