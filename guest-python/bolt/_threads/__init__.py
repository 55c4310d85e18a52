"""What stands in for threads, which the sandbox does not have: functions run in place."""
