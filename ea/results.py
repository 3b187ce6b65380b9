"""x"""
def connect() -> None:
    """x"""
