"""What the hub asks a user office, one small module for each kind of office."""
