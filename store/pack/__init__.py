"""The serving pack of a run: flat arrays and blobs beside the tables, made at publish, mapped by the endpoint."""
