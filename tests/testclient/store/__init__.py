"""An app as a package, in the usual layout: `main` only includes routers."""
