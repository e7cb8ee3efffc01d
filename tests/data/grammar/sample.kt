package org.example

import java.util.*
import kotlin.math.max as maximum

@Target(AnnotationTarget.CLASS)
annotation class Marker(val name: String = "x")

sealed class Shape {
    data class Circle(val radius: Double) : Shape()
    object Empty : Shape()
}

interface Store<out T : Any> {
    val size: Int
    fun get(key: String): T?
}

@Marker
open class Memory<T : Any>(private val items: MutableMap<String, T> = mutableMapOf()) : Store<T> {
    override val size: Int get() = items.size
    var last: T? = null
        private set
    init { println("made $size ${items.keys.size + 1}\n") }
    override fun get(key: String): T? = items[key] ?: last
    operator fun plusAssign(pair: Pair<String, T>) {
        items[pair.first] = pair.second
    }
    companion object {
        const val LIMIT = 1_000L
    }
}

fun area(shape: Shape): Double = when (shape) {
    is Shape.Circle -> Math.PI * shape.radius
    Shape.Empty -> 0.0
}

suspend fun <T> run(vararg names: String, block: suspend (Int) -> T): List<T> {
    val result: MutableList<T> = mutableListOf()
    for (i in 0 until names.size) {
        val (name, _) = names[i] to i
        if (name.isEmpty() || i !in 0..10) continue
        else if (i % 2 == 1) break
        result.add(block(i))
    }
    var n = 10
    while (n > 0) { n -= 1 }
    do { n++ } while (n < 3)
    try {
        n = names[0].length
    } catch (e: Exception) {
        throw IllegalStateException("bad", e)
    } finally {
        n = if (n > 1) 1 else -1
    }
    val text = """raw
        |$n""".trimMargin()
    return result.filter { it != null }.map { x -> x!! }
}
