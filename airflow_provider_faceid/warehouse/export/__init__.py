"""Export of a campaign as Arrow record batches: to Parquet files, Iceberg and Delta tables."""
