"""Django's tests that are left out, by the reason. All others of the apps pass."""

_EXTRACT = "db_functions.datetime.test_extract_trunc"
_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_YEARS = ("exact", "greaterthan", "lessthan")

EXCLUSIONS = {
    "SQLite has no regular expressions.": {
        "lookup.tests.LookupTests.test_regex",
        "lookup.tests.LookupTests.test_regex_backreferencing",
        "lookup.tests.LookupTests.test_regex_non_ascii",
        "lookup.tests.LookupTests.test_regex_non_string",
        "lookup.tests.LookupTests.test_regex_null",
        "model_fields.test_jsonfield.TestQuerying.test_key_iregex",
        "model_fields.test_jsonfield.TestQuerying.test_key_regex",
    },
    "SQLite has no hashes.": {
        f"db_functions.text.test_{name}.{name.upper()}Tests.{test}"
        for name in _HASHES
        for test in ("test_basic", "test_transform")
    },
    "Times are converted from UTC only.": {
        "timezones.tests.NewDatabaseTests.test_query_convert_timezones",
    },
    "An unknown part of a date is a ValueError, before there is SQL.": {
        f"{_EXTRACT}.DateFunctionTests.test_trunc_lookup_name_sql_injection",
        f"{_EXTRACT}.DateFunctionWithTimeZoneTests.test_trunc_lookup_name_sql_injection",
    },
    "The test counts the word `extract` in the SQL.": {
        f"{_EXTRACT}.{case}.test_extract_year_{name}_lookup"
        for case in ("DateFunctionTests", "DateFunctionWithTimeZoneTests")
        for name in _YEARS
    },
    "The test is about the files, functions, options or threads of Django's own backend.": {
        "backends.sqlite.test_creation.TestDbSignatureTests.test_custom_test_name",
        "backends.sqlite.test_creation.TestDbSignatureTests.test_get_test_db_clone_settings_name",
        "backends.sqlite.test_features.FeaturesTests.test_supports_json_field_operational_error",
        "backends.sqlite.tests.Tests.test_regexp_function",
        "backends.sqlite.tests.TestTransactionMode.test_invalid_transaction_mode",
        "backends.sqlite.tests.ThreadSharing.test_database_sharing_in_threads",
    },
    "Only the host has the file.": {
        "dbshell.test_sqlite.SqliteDbshellCommandTestCase."
        "test_non_zero_exit_status_when_path_to_db_is_path",
        "dbshell.tests.DbshellCommandTestCase.test_command_missing",
    },
    "The fake host has one thread, as the sandbox.": {
        "servers.tests.LiveServerDatabase.test_database_writes",
        "servers.tests.LiveServerDatabase.test_fixtures_loaded",
        "servers.tests.LiveServerThreadedTests.test_check_model_instance_from_subview",
        "test_utils.tests.DisallowedDatabaseQueriesTests."
        "test_disallowed_thread_database_connection",
        "backends.tests.ThreadTests.test_pass_connection_between_threads",
    },
}

# Those that only newer versions have.
SINCE_6 = {
    "SQLite has no such aggregates.": {
        "aggregation.tests.AggregateTestCase.test_aggregation_default_integer",
        "aggregation.tests.AggregateTestCase.test_aggregation_default_unset",
        "aggregation.tests.AggregateTestCase.test_aggregation_default_zero",
        *(
            f"aggregation.tests.AggregateTestCase.test_bit_{name}{rest}"
            for name in ("and", "or", "xor")
            for rest in ("", "_on_only_false_values", "_on_only_true_values")
        ),
    },
    "SQLite has no regular expressions for all of its lookups.": {
        "expressions.tests.BasicExpressionsTests.test_lookups_subquery",
    },
    "The test asks the `sqlite3` of Python for limits, or copies files.": {
        "backends.sqlite.test_creation.TestDbSignatureTests."
        "test_setup_worker_connection_respects_test_database_name",
        "backends.sqlite.test_features.FeaturesTests.test_max_query_params_respects_variable_limit",
        "backends.sqlite.test_operations.SQLiteOperationsTests."
        "test_bulk_batch_size_respects_variable_limit",
        "backends.sqlite.tests.LastExecutedQueryTest."
        "test_parameter_count_exceeds_variable_or_column_limit",
    },
    "The test starts another process, which has no host.": {
        "migrations.test_loader.LoaderTests.test_loading_order_does_not_create_circular_dependency",
    },
}
