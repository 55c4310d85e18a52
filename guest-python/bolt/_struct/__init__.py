"""`Struct`: the SDK's own record class, its validators and its `model_dump`."""
