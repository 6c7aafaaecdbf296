"""A driver for `test_cluster`: tell what the cluster's workers run on, then answer commands as `jobs.standing` does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from pyspark.sql import functions as F

from conf.settings import Settings
from jobs import standing
from jobs.spark.session import start_spark


def surroundings(_: int) -> str:
    umask = os.umask(0)
    os.umask(umask)
    return json.dumps({"code": sys.modules["jobs"].__file__, "executor": str(Path.cwd()), "umask": umask})


if __name__ == "__main__":
    spark = start_spark(Settings.from_environment(), "on a cluster")
    look = F.udf(surroundings)
    rows = spark.range(0, 8, 1, 8).select(look("id")).collect()
    Path(sys.argv[1]).write_text(json.dumps(sorted({row[0] for row in rows})))
    sys.exit(standing.main())
