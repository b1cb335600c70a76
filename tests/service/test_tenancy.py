"""Qualified names come apart into what they were put together from, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.name_validation import CLASSIFIER
from service.tenancy import DEFAULT_TENANT, bare, qualified, tenant_of

NAMES = st.from_regex(CLASSIFIER, fullmatch=True)
TENANTS = st.just(DEFAULT_TENANT) | NAMES


@given(TENANTS, NAMES, TENANTS, NAMES)
def test_a_qualified_name_is_of_one_tenant_and_one_name(
    tenant: str, name: str, other_tenant: str, other_name: str
) -> None:
    one = qualified(tenant, name)
    assert (tenant_of(one), bare(one)) == (tenant, name)
    same = (tenant, name) == (other_tenant, other_name)
    assert (one == qualified(other_tenant, other_name)) == same
