"""Write the JSON Schema of stack configs and inventories, for editors: `make schema`."""

import json
from pathlib import Path

from components.stack_config import inventory_schema, schema

SCHEMA, INVENTORY_SCHEMA = Path("stacks/stockade.schema.json"), Path("stacks/inventory.schema.json")

if __name__ == "__main__":
    for file, content in ((SCHEMA, schema()), (INVENTORY_SCHEMA, inventory_schema())):
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
