"""What was made from what, told to whoever collects lineage: OpenLineage events made from the manifests."""
