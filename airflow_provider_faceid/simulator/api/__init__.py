"""The API as the service has it: from an HTTP request to an HTTP answer."""
