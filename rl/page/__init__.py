"""The review page: what a careful person needs to see before a policy goes live, in one file."""
