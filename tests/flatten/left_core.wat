;; A core module.
;; left it is a core module, not a component
(module (memory 1) (func (export "f")))
