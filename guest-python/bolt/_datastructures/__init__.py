"""Parts of requests and responses: headers, cookies, URLs and uploaded files."""
