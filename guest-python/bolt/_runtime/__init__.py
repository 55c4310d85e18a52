"""The side of the SDK that runs only in the sandbox: build, event loop, late imports, snapshot."""
