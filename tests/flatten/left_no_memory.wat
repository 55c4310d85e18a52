;; Modules without a memory.
;; left there is nothing to merge in it
(component
  (core module $a (func (export "f")))
  (core module $b (import "a" "f" (func)))
  (core instance $a (instantiate $a))
  (core instance (instantiate $b (with "a" (instance $a)))))
