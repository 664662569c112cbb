"""The flows' cluster and tenants serve the table too."""

from tests.flows.conftest import application, bucket, cluster, make_tenant

__all__ = ["application", "bucket", "cluster", "make_tenant"]
