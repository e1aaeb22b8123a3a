// For the atlas command: atlas migrate status|apply|validate --env public
//                        atlas migrate status|apply|validate --env tenant --var schema=school_greenwood
//                        atlas migrate apply --env fleet --var schemas=school_greenwood --var schemas=school_riverside

variable "url" {
  type        = string
  default     = getenv("HOMEROOM_DATABASE_URL")
  description = "The database, without a search_path"
}

variable "schema" {
  type        = string
  default     = ""
  description = "The school's PostgreSQL schema"
}

variable "schemas" {
  type        = list(string)
  default     = []
  description = "The PostgreSQL schemas of several schools"
}

env "public" {
  url = urlqueryset(var.url, "search_path", "public")
  migration {
    dir = "file://atlas/public"
  }
}

env "tenant" {
  url = urlqueryset(var.url, "search_path", var.schema)
  migration {
    dir = "file://atlas/tenant"
  }
}

// Several schools of one database. The command applies to one after the other and stops at the first that
// fails; status and lint refuse it. "homeroom migrate apply" knows the schools and their databases by itself,
// passes over one that fails, and says at the end where each stands.
env "fleet" {
  for_each = toset(var.schemas)
  url      = urlqueryset(var.url, "search_path", each.value)
  migration {
    dir = "file://atlas/tenant"
  }
}
