"""Uploads a file in parts, and prints how many seconds the upload itself took: FILE BUCKET KEY PART_SIZE CONCURRENCY."""

import sys
import time

import boto3
from boto3.s3.transfer import TransferConfig

file, bucket, key, part_size, concurrency = sys.argv[1:]
parts = TransferConfig(
    multipart_threshold=int(part_size),
    multipart_chunksize=int(part_size),
    max_concurrency=int(concurrency),
)
client = boto3.client("s3")
began = time.perf_counter()
client.upload_file(file, bucket, key, Config=parts)
print(time.perf_counter() - began)
