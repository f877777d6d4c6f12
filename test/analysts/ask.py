"""Asks StarRocks every question it reads as JSON, by PyMySQL, and prints the rows as JSON: a text per value, or null."""

import json
import sys
from decimal import Decimal

import pymysql


def text(value):
    if value is None:
        return None
    return format(value, "f") if isinstance(value, Decimal) else str(value)


port, database = int(sys.argv[1]), sys.argv[2]
connection = pymysql.connect(host="127.0.0.1", port=port, user="root", database=database)
answers = []
with connection.cursor() as cursor:
    for sql in json.load(sys.stdin):
        cursor.execute(sql)
        answers.append([[text(value) for value in row] for row in cursor.fetchall()])
json.dump(answers, sys.stdout)
