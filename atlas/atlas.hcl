// For the atlas command: atlas migrate status|apply|validate --env public
//                        atlas migrate status|apply|validate --env tenant --var schema=school_greenwood

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
