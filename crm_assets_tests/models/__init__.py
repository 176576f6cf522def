"""Tests of the models, on a few rows of raw tables or on the sandbox's records."""

import pytest

pytest.register_assert_rewrite("crm_assets_tests.models.raw_tables")
