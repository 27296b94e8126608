pluginManagement { repositories { google(); mavenCentral(); gradlePluginPortal() } }

dependencyResolutionManagement { repositories { google(); mavenCentral() } }

rootProject.name = "knuckle-samples"
include(":hands", ":palms")
