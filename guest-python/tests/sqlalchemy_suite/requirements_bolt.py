"""What the dialect can, for SQLAlchemy's tests of dialects. The rest has SQLAlchemy's default."""

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

_YES = [
    "autocommit",
    "check_constraint_reflection",
    "computed_columns",
    "computed_columns_reflect_persisted",
    "computed_columns_stored",
    "computed_columns_virtual",
    "create_table_as",
    "ctes",
    "ctes_on_dml",
    "ctes_with_update_delete",
    "ctes_with_values",
    "date_historic",
    "datetime_historic",
    "datetime_literals",
    "except_",
    "fk_constraint_option_reflection_ondelete_noaction",
    "fk_constraint_option_reflection_ondelete_restrict",
    "fk_constraint_option_reflection_onupdate_restrict",
    "foreign_key_constraint_name_reflection",
    "foreign_key_constraint_option_reflection_ondelete",
    "foreign_key_constraint_option_reflection_onupdate",
    "indexes_with_expressions",
    "inline_check_constraint_reflection",
    "intersect",
    "isolation_level",
    "json_type",
    "legacy_unconditional_json_extract",
    "mod_operator_as_percent_sign",
    "non_updating_cascade",
    "nullsordering",
    "order_by_col_from_union",
    "order_by_label_with_expression",
    "percent_schema_names",
    "reflect_table_options",
    "reflects_pk_names",
    "savepoints",
    "server_defaults",
    "expression_server_defaults",
    "skip_autocommit_rollback",
    "supports_bitwise_and",
    "supports_bitwise_not",
    "supports_bitwise_or",
    "supports_bitwise_shift",
    "timestamp_microseconds",
    "tuple_in",
    "unicode_ddl",
    "update_from",
    "uuid_data_type",
    "views",
    "window_functions",
    "window_range",
    "dbapi_lastrowid",
    "float_or_double_precision_behaves_generically",
    "table_ddl_if_exists",
    "index_ddl_if_exists",
]
# SQLite has no parentheses around the parts of a union, and stores decimals as floats. A temporary
# table is gone after its transaction, because the next one may have another connection.
_NO = [
    "implicitly_named_constraints",
    "temp_table_reflection",
    "temporary_tables",
    "parens_in_union_contained_select_w_limit_offset",
    "parens_in_union_contained_select_wo_limit_offset",
    "numeric_received_as_decimal_untyped",
    "schemas",
]


class Requirements(SuiteRequirements):
    """Those of SQLite."""

    def get_isolation_levels(self, config):
        levels = ["SERIALIZABLE", "IMMEDIATE", "AUTOCOMMIT"]
        return {"default": "SERIALIZABLE", "supported": levels}

    def get_order_by_collation(self, config):
        return "NOCASE"


for _names, _rule in ((_YES, exclusions.open), (_NO, exclusions.closed)):
    for _name in _names:
        setattr(Requirements, _name, property(lambda self, rule=_rule: rule()))
